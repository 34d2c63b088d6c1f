/** What a machine would use of an archive, for want of knowing: its Packages of every component. */
import type { ArchiveState } from '../../core/archive/archive-state.ts';
import type { Segment } from '../../core/archive/segment.ts';
import { listedForms } from './index-forms.ts';
import type { IndexUse } from './remembered-uses.ts';

const MAX_COMPONENTS = 16;

export function defaultUses(archive: ArchiveState, release: Segment, architecture: string): IndexUse[] {
  const names =
    archive.layout === 'flat'
      ? ['Packages']
      : archive.components.slice(0, MAX_COMPONENTS).flatMap((name) => {
          // the field may have a prefix that the directories lack: updates/main is in main/ (Debian security)
          const component = [name, name.slice(name.lastIndexOf('/') + 1)];
          const architectures = archive.noSupportForArchitectureAll ? [architecture] : [architecture, 'all'];
          return component.flatMap((c) => architectures.map((a) => `${c}/binary-${a}/Packages`));
        });
  return [...new Set(names)].filter((name) => listedForms(release, name).length > 0).map((name) => ({ name }));
}
