/**
 * What follows for peers when a file has been found right or wrong: who told roots that are not the file's, and who
 * sent pieces that are not, is banned; nobody else.
 */
import type { Logger } from '../../../core/logging.ts';
import type { LinkFault } from '../link/link.ts';
import type { PeerKey } from '../protocol.ts';
import { digests } from './piece-checks.ts';
import type { Suspect, Want } from './want.ts';

export interface VerdictDeps {
  readonly log: Logger;
  pieceRoot(path: string, start: number, length: number): Promise<Uint8Array>;
  ban(peer: PeerKey, fault: LinkFault): void;
  /** Where the file is, or will be in a moment; the partial file's path comes first. */
  paths(want: Want): readonly string[];
}

/** Pieces of a right file that are hashed to find out who lied. */
const MAX_TRUTHS = 256;

export async function judge(deps: VerdictDeps, want: Want, verified: boolean): Promise<void> {
  const { trust, suspects } = want;
  const banned = new Set<PeerKey>();
  const ban = (peer: PeerKey, message: string) => {
    if (banned.has(peer)) return;
    banned.add(peer);
    deps.ban(peer, { kind: 'wrong-bytes', message });
  };
  if (!verified) {
    // Every piece was what they said it would be, and the file was wrong.
    if (want.examined && trust.allMatched)
      for (const peer of trust.tellers) ban(peer, 'told piece roots of another file');
    return;
  }
  for (const piece of piecesInDoubt(want)) {
    const truth = await rootOf(deps, want, piece);
    if (truth === undefined) continue;
    for (const peer of trust.liars(piece, truth)) ban(peer, 'told piece roots that are not those of the file');
    for (const suspect of suspects) {
      if (suspect.piece !== piece || Buffer.compare(suspect.root, truth) === 0) continue;
      for (const peer of await senders(deps, want, suspect)) ban(peer, 'sent bytes that are not those of the file');
    }
  }
}

function piecesInDoubt({ trust, suspects, examined, refetched, pieces }: Want): number[] {
  const doubtful = new Set(trust.disputedPieces());
  for (const { piece } of suspects) doubtful.add(piece);
  for (const piece of refetched) doubtful.add(piece);
  // It was wrong before it was put right: what matched then may be a lie that was followed.
  for (let piece = 0; examined && piece < pieces; piece++) if (trust.hasMatched(piece)) doubtful.add(piece);
  return [...doubtful].slice(0, MAX_TRUTHS);
}

async function rootOf(deps: VerdictDeps, want: Want, piece: number): Promise<Uint8Array | undefined> {
  const { start, end } = want.range(piece);
  for (const path of deps.paths(want)) {
    try {
      return await deps.pieceRoot(path, start, end - start);
    } catch {
      // It is being moved to its final place.
    }
  }
  deps.log.debug({ sha256: want.file.sha256, piece }, 'a piece could not be hashed to find out who lied');
  return undefined;
}

/** Who sent the wrong parts of a wrong piece. */
async function senders(deps: VerdictDeps, want: Want, { parts }: Suspect): Promise<PeerKey[]> {
  if (parts.every(({ digest }) => digest === undefined)) return parts.map(({ writer }) => writer);
  for (const path of deps.paths(want)) {
    const right = await digests(
      path,
      parts.map(({ start, end }) => ({ start, end })),
    );
    if (right === undefined) continue;
    return parts.filter(({ digest }, at) => digest !== right[at]?.digest).map(({ writer }) => writer);
  }
  return [];
}
