import { readFileSync } from 'node:fs';
import { rootCertificates } from 'node:tls';

/** Where Debian keeps the certificates that the administrator trusts. */
const SYSTEM_CA = '/etc/ssl/certs/ca-certificates.crt';

/** Node's own certificates and the system's, in PEM; read when the first https mirror is asked. */
export function systemCertificates(): string[] {
  try {
    return [...rootCertificates, readFileSync(SYSTEM_CA, 'utf8')];
  } catch {
    return [...rootCertificates];
  }
}
