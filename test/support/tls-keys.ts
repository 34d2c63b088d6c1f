/** A throwaway certificate for an address and localhost that is its own authority. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface TlsKeys {
  readonly key: string;
  readonly cert: string;
  /** Path of the certificate, for clients to trust. */
  readonly caFile: string;
  close(): void;
}

export function makeTlsKeys(address = '127.0.0.1'): TlsKeys {
  const directory = mkdtempSync(join(tmpdir(), 'dt-tls-'));
  const caFile = join(directory, 'cert.pem');
  const keyFile = join(directory, 'key.pem');
  const args =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost ' +
    `-addext subjectAltName=IP:${address},DNS:localhost`;
  execFileSync('openssl', [...args.split(' '), '-keyout', keyFile, '-out', caFile], { stdio: 'ignore' });
  return {
    key: readFileSync(keyFile, 'utf8'),
    cert: readFileSync(caFile, 'utf8'),
    caFile,
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}
