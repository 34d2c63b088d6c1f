/** Whether a finished file still has the bytes that it is named by. */
import type { Sha256 } from '../../core/ids.ts';
import type { ActorRef } from '../../kernel/protocol.ts';
import type { StoredFile, StoreProtocol } from './protocol.ts';

export interface CheckStoredDeps {
  readonly store: Pick<ActorRef<StoreProtocol>, 'tell'>;
  sha256(path: string, size: number): Promise<Sha256>;
}

/** Hashes it and tells the store. Undefined when it cannot be read now, which says nothing of its bytes. */
export async function checkStored(deps: CheckStoredDeps, file: StoredFile): Promise<boolean | undefined> {
  const actual = await deps.sha256(file.path, file.size).catch(() => undefined);
  if (actual === undefined) return undefined;
  const right = actual === file.sha256;
  if (right) deps.store.tell('right', file);
  else deps.store.tell('wrong', file.sha256);
  return right;
}
