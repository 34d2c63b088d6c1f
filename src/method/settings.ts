/** What of APT's configuration (`601 Configuration`) matters to the method. */
import type { AptMessage } from '../core/method/apt-message.ts';

export interface Settings {
  /** Who the method runs as; undefined when it stays what it is. */
  readonly sandboxUser: string | undefined;
  /** Requests that APT has outstanding at once. */
  readonly depth: number;
  /** The daemon's Unix socket, used for a daemon on this machine. */
  readonly socket: string;
  /** It is named by the configuration, whatever port the daemon has. */
  readonly socketGiven: boolean;
  /** URIs come as they are to be sent. */
  readonly encoded: boolean;
  readonly forceHash: string | undefined;
  /** Milliseconds without a byte from the daemon. */
  readonly timeoutMs: number;
}

const DEFAULT_SOCKET = '/run/debtorrent/apt.sock';
const DEFAULT_TIMEOUT_S = 60;

export function readSettings(message: AptMessage): Settings {
  const values = new Map<string, string>();
  for (const [name, item] of message.fields) {
    const equals = item.indexOf('=');
    if (name === 'config-item' && equals > 0) {
      values.set(unquote(item.slice(0, equals)).toLowerCase(), unquote(item.slice(equals + 1)));
    }
  }
  // Binary::debtorrent::X is X for this method alone, as for APT's own ones.
  const get = (name: string): string | undefined => {
    const key = name.toLowerCase();
    return values.get(`binary::debtorrent::${key}`) ?? values.get(key);
  };
  const socket = get('Acquire::debtorrent::Socket') || undefined;
  const user = get('APT::Sandbox::User');
  const drop = user !== undefined && user !== '' && user !== 'root' && !isTrue(get('Debug::NoDropPrivs'));
  return {
    sandboxUser: drop ? user : undefined,
    depth: positive(get('Acquire::Max-Pipeline-Depth')) ?? 10,
    socket: socket ?? DEFAULT_SOCKET,
    socketGiven: socket !== undefined,
    encoded: isTrue(get('Acquire::Send-URI-Encoded')),
    forceHash: get('Acquire::ForceHash') || undefined,
    timeoutMs: (positive(get('Acquire::debtorrent::Timeout')) ?? DEFAULT_TIMEOUT_S) * 1000,
  };
}

function isTrue(value: string | undefined): boolean {
  return /^(?:1|yes|true|with|on|enable)$/i.test(value ?? '');
}

function positive(value: string | undefined): number | undefined {
  return /^[1-9]\d{0,5}$/.test(value ?? '') ? Number(value) : undefined;
}

/** Undoes what APT writes as %XX in names and values. */
function unquote(text: string): string {
  return text.replaceAll(/%([0-9a-f]{2})/gi, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
