/**
 * The provenance rule (docs/PROTOCOL.md, "What may be offered") for files on their way: of each, the pieces that this
 * machine took from a mirror itself or that an agreed tree has verified.
 */
import { Bitmap } from '../../core/swarm/bitmap.ts';
import { pieceCount, wholePieces } from '../../core/swarm/pieces.ts';
import type { Sha256 } from '../../core/ids.ts';
import type { Ranges, WantedFile, WantId } from './protocol.ts';

interface Pieces {
  readonly file: WantedFile;
  agreed: Bitmap;
  mirrored: Bitmap;
}

export class Offerable {
  readonly #files = new Map<WantId, Pieces>();
  /** Called with all that may be offered of the file now, also when that is nothing yet. */
  readonly #changed: (file: WantedFile, pieces: Bitmap) => void;

  constructor(changed: (file: WantedFile, pieces: Bitmap) => void) {
    this.#changed = changed;
  }

  opened(file: WantedFile): void {
    const none = () => new Bitmap(pieceCount(file.size));
    const pieces = { file, agreed: none(), mirrored: none() };
    this.#files.set(file.id, pieces);
    this.#changed(file, none());
  }

  mirrored(id: WantId, have: Ranges): void {
    const pieces = this.#files.get(id);
    if (pieces === undefined) return;
    const ranges = have.map(([start, end]) => ({ start, end }));
    const next = wholePieces(pieces.file.size, ranges);
    if (next.count === pieces.mirrored.count) return;
    pieces.mirrored = next;
    this.#tell(pieces);
  }

  agreed(sha256: Sha256, piece: number): void {
    for (const pieces of this.#files.values()) {
      if (pieces.file.sha256 === sha256 && pieces.agreed.set(piece)) this.#tell(pieces);
    }
  }

  /** Wants that are open. */
  get wants(): readonly WantId[] {
    return [...this.#files.keys()];
  }

  /** The file of the want, which is no more. */
  closed(id: WantId): WantedFile | undefined {
    const file = this.#files.get(id)?.file;
    this.#files.delete(id);
    return file;
  }

  #tell({ file, agreed, mirrored }: Pieces): void {
    const all = agreed.copy();
    for (const piece of mirrored) all.set(piece);
    this.#changed(file, all);
  }
}
