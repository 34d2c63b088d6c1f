/** The files that setup installs besides the sources it rewrites. */
import { fileURLToPath } from 'node:url';
import { installed } from '../../config/installation.ts';
import type { AptPaths } from './apt-paths.ts';
import type { Role } from './journal.ts';
import type { RootedFiles } from './rooted-files.ts';

export interface InstalledFile {
  readonly path: string;
  readonly role: Role;
  readonly bytes: Buffer;
  readonly mode: number;
}

/** Where the program is that runs now, and what it runs on. */
export interface Installation {
  /** Of a checkout or a package: the directory that has bin/. */
  readonly home: string;
  readonly node: string;
}

/** Tells files of setup from those of a package or a person. */
const MARK = 'Installed by debtorrent setup; debtorrent setup --undo removes it.';
const EXECUTABLE = 0o755;
export const HELPER = '/usr/local/lib/debtorrent/proxy-detect';
/** Stands in the configuration if setup wrote sources. */
const FOR_SOURCES = 'For the sources that begin with debtorrent://';

export function thisInstallation(): Installation {
  return { home: fileURLToPath(installed('')).replace(/\/$/, ''), node: process.execPath };
}

export function isSetups(bytes: Buffer): boolean {
  return bytes.subarray(0, 1000).includes(MARK);
}

/** For a configuration of setup's: it stands by sources that setup wrote. */
export function namesSources(bytes: Buffer): boolean {
  return bytes.includes(FOR_SOURCES);
}

/** Where setup may have installed something. */
export function placesOf(paths: AptPaths): readonly Pick<InstalledFile, 'path' | 'role'>[] {
  return [
    { path: methodPath(paths), role: 'method' },
    { path: fragmentPath(paths), role: 'configuration' },
    { path: HELPER, role: 'helper' },
  ];
}

function methodPath({ methods }: AptPaths): string {
  return `${methods}/debtorrent`;
}

function fragmentPath({ confParts }: AptPaths): string {
  return `${confParts}/30debtorrent-setup`;
}

/**
 * What of the installation APT will miss, seen from the root; undefined when it is all there. APT's method starts as
 * whoever runs APT: not only root downloads packages.
 */
export function missingForMethod(files: RootedFiles, { home, node }: Installation): string | undefined {
  for (const path of [`${home}/bin/apt-method`, node]) {
    const names = path.split('/');
    const directories = names.slice(1, -1).map((_, index) => names.slice(0, index + 2).join('/'));
    const states = directories.map((directory) => ({ directory, state: files.directoryState(directory) }));
    const absent =
      states.some(({ state }) => !state) || !files.list(directories.at(-1) ?? '/').includes(names.at(-1) ?? '');
    if (absent) return `${path} is not there: the method works only where it is, such as by a mount`;
    const closed = states.find(({ state }) => state && (state.mode & 0o001) === 0);
    if (closed) return `${closed.directory} is closed to some: for users who may not enter it the method does not work`;
  }
  return undefined;
}

/** What {@link methodFile} runs, and with which environment. */
export function launcher({ home, node }: Installation, env: NodeJS.ProcessEnv): [string, NodeJS.ProcessEnv] {
  return [`${home}/bin/apt-method`, { ...env, DEBTORRENT_NODE: node, DEBTORRENT_ROOT: home }];
}

/**
 * A checkout may be removed, moved, or on a disk that is not there, and undo gone with it: APT has to be told all the
 * same where files are. As src/core/method/debtorrent-uri.ts has it; a test holds the two together.
 */
const WITHOUT_PROGRAM = `
# Without it APT's own methods fetch from the mirrors themselves. Nothing here needs the rights of root, nor uses them.
printf '100 Capabilities\\nVersion: 2.0\\nSingle-Instance: true\\nPipeline: true\\nSend-Config: true\\nSend-URI-Encoded: true\\n\\n'
warned=
while IFS= read -r line; do
  case $line in
    'URI: debtorrent://'*/*) uri=\${line#URI: } ;;
    *) continue ;;
  esac
  if [ -z "$warned" ]; then
    warned=yes
    printf '104 Warning\\nMessage: %s cannot be read, files come from the mirror directly\\n\\n' "$method"
  fi
  target=\${uri#debtorrent://*/}
  case $target in
    [Hh][Tt][Tt][Pp][Ss]///*) target=https://\${target#*///} ;;
    *) target=http://$target ;;
  esac
  printf '103 Redirect\\nURI: %s\\nNew-URI: %s\\n\\n' "$uri" "$target"
done
`;

/** The daemon has waited and tried again by itself before it says that a mirror has failed. */
const WITHOUT_DELAY = [
  '// APT before 3.0.3 can wait for ever when a mirror fails while others are asked by the same method. Not without delays:',
  'Acquire::Retries::Delay "false";',
];

/** What APT runs for `debtorrent:` sources. */
export function methodFile(paths: AptPaths, { home, node }: Installation): InstalledFile {
  const text = `#!/bin/sh
# ${MARK}
DEBTORRENT_NODE=${shellWord(node)}
DEBTORRENT_ROOT=${shellWord(home)}
method=$DEBTORRENT_ROOT/bin/apt-method
[ ! -r "$method" ] || . "$method"
${WITHOUT_PROGRAM}`;
  return { path: methodPath(paths), role: 'method', bytes: Buffer.from(text), mode: EXECUTABLE };
}

/**
 * @param socket the daemon's, where it is neither at the usual place nor on another machine.
 * @param retriesHang of the APT that reads this
 */
export function methodConfiguration(paths: AptPaths, socket: string | undefined, retriesHang: boolean): InstalledFile {
  const lines = [
    `// ${FOR_SOURCES}`,
    ...(socket === undefined ? [] : [`Acquire::debtorrent::Socket "${aptString(socket)}";`]),
    ...(retriesHang ? WITHOUT_DELAY : []),
  ];
  return configuration(paths, lines);
}

/**
 * @param daemon `HOST:PORT`
 * @param notFor hosts that APT is to ask without it
 */
export function proxyFiles(
  paths: AptPaths,
  daemon: string,
  helper: string,
  notFor: ReadonlySet<string>,
): InstalledFile[] {
  const [first = '', ...rest] = helper.split('\n');
  const settings = [`: "\${DEBTORRENT_PROXY:=${daemon}}"`];
  // nothing else is a host that APT could ask, nor safe to stand in a script
  const hosts = [...notFor].filter((host) => /^[a-z0-9._:-]+$/.test(host)).toSorted();
  if (hosts.length > 0) settings.push(`: "\${DEBTORRENT_NOT_FOR:=${hosts.join(' ')}}"`);
  const text = [first, `# ${MARK}`, ...settings, ...rest].join('\n');
  return [
    { path: HELPER, role: 'helper', bytes: Buffer.from(text), mode: EXECUTABLE },
    configuration(paths, [
      '// APT asks this helper for each host: the daemon, or nothing when it is not running or would refuse the host.',
      `Acquire::http::Proxy-Auto-Detect "${HELPER}";`,
    ]),
  ];
}

function configuration(paths: AptPaths, lines: readonly string[]): InstalledFile {
  const bytes = Buffer.from([`// ${MARK}`, ...lines, ''].join('\n'));
  return { path: fragmentPath(paths), role: 'configuration', bytes, mode: 0o644 };
}

function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** APT knows no way to write a quote within a string. */
function aptString(text: string): string {
  return text.replaceAll(/["\\\n]/g, '?');
}
