import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';

/** Where Debian keeps the certificates that the administrator trusts. */
export const SYSTEM_CA = '/etc/ssl/certs/ca-certificates.crt';

/**
 * Node's own certificates, the system's, and those of NODE_EXTRA_CA_CERTS (giving Node any list of certificates
 * makes it ignore that variable), in PEM. Read when the first https mirror is asked.
 */
export function systemCertificates(): string[] {
  const certificates = [...rootCertificates];
  for (const file of [SYSTEM_CA, process.env['NODE_EXTRA_CA_CERTS']]) {
    if (!file) continue;
    try {
      certificates.push(readFileSync(file, 'utf8'));
    } catch {
      // Node's own certificates are enough for most mirrors
    }
  }
  return certificates;
}
