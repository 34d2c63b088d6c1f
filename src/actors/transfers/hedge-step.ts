/**
 * What follows next while a mirror and peers fetch the same range. Pure. The range is settled when neither can write to
 * it any more; before that nobody may read it: what was read could be overwritten with something else.
 */
export interface HedgeState {
  /** All bytes of the range are there, from one or the other. */
  readonly covered: boolean;
  readonly mirrorRuns: boolean;
  /** The mirror's job has written all of the range itself; nobody writes a byte twice. */
  readonly mirrorWroteAll: boolean;
  readonly peersRun: boolean;
  readonly peersWroteAll: boolean;
}

export type HedgeStep = 'wait' | 'cancel-peers' | 'cancel-mirror' | 'settled';

export function hedgeStep(state: HedgeState): HedgeStep {
  const mirrorDone = !state.mirrorRuns || state.mirrorWroteAll;
  const peersDone = !state.peersRun || state.peersWroteAll;
  if (mirrorDone && peersDone) return 'settled';
  if (!state.covered) return 'wait';
  return mirrorDone ? 'cancel-peers' : 'cancel-mirror';
}
