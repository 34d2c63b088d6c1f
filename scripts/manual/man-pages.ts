/** The manual pages, as roff (man(7)): what is told in prose here, and the settings from their table. */
import { capital, settingGroups } from './settings.ts';

export interface ManPage {
  readonly name: string;
  readonly section: number;
  readonly text: string;
}

/** @param date YYYY-MM-DD */
export function manPages(version: string, date: string): ManPage[] {
  const head = (title: string, section: number) =>
    `.TH ${title} ${section} "${date}" "DebTorrent ${roff(version)}" "DebTorrent"\n`;
  return [
    { name: 'debtorrent', section: 1, text: head('DEBTORRENT', 1) + program() },
    { name: 'debtorrent.toml', section: 5, text: head('DEBTORRENT.TOML', 5) + file() },
    { name: 'apt-transport-debtorrent', section: 1, text: head('APT\\-TRANSPORT\\-DEBTORRENT', 1) + method() },
  ];
}

function program(): string {
  return `.SH NAME
debtorrent \\- proxy for APT that fetches packages from other machines
.SH SYNOPSIS
.nf
\\fBdebtorrent\\fR [\\fBserve\\fR] [\\fIflags\\fR]
\\fBdebtorrent status\\fR [\\fB\\-\\-json\\fR] [\\fB\\-\\-watch\\fR]
\\fBdebtorrent seed\\fR \\fIPATH\\fR... [\\fB\\-\\-verbose\\fR]
\\fBdebtorrent tracker\\fR [\\fB\\-\\-listen\\fR \\fIADDR:PORT\\fR]
\\fBdebtorrent setup\\fR [\\fB\\-\\-proxy\\fR] [\\fB\\-\\-print\\fR | \\fB\\-\\-yes\\fR] [\\fB\\-\\-root\\fR \\fIDIR\\fR]
\\fBdebtorrent setup \\-\\-undo\\fR [\\fB\\-\\-print\\fR] [\\fB\\-\\-root\\fR \\fIDIR\\fR]
\\fBdebtorrent \\-\\-version\\fR | \\fB\\-\\-help\\fR
.fi
.SH DESCRIPTION
${paragraph(`APT asks the daemon for files; it answers from its cache, from other machines that run it, and from the mirror, in that order and never slower than the mirror alone. Every byte is checked against the archive's signatures. The daemon has a page for people at its address, http://localhost:9988/ unless configured otherwise.`)}
.SH COMMANDS
${item('serve', 'Run the daemon. When it accepts requests it prints one line that begins with "ready". SIGTERM, SIGINT and SIGHUP stop it within 10 seconds. This is what the systemd unit debtorrent.service runs.')}
${item('status', 'Say what the running daemon does: whether it works, what it fetches, what it has saved, peers, cache, mirrors, and what went wrong lately. With --json the report as it is, with --watch once a second.')}
${item('seed', 'Take packages that exist already into the cache of the daemon, each after it was checked against a verified index.')}
${item('tracker', 'Run a tracker, over HTTP and UDP, by which daemons on different networks find each other; on [::]:6969 unless --listen says otherwise.')}
${item('setup', 'Have APT on this machine fetch through the daemon: shows what would change and asks. By default sources are written as debtorrent:// (see apt-transport-debtorrent(1)); with --proxy APT asks each time whether the daemon runs and serves the host, and does as it would without when it does not. The daemon itself asks mirrors directly and uses no other proxy. --undo brings back every byte. The Debian package does that when it is removed.')}
.SH FLAGS
${paragraph('Each flag is also a key of the configuration file and an environment variable; see debtorrent.toml(5) for what they mean in full.')}
${item('--config FILE', 'The configuration file, /etc/debtorrent/debtorrent.toml if it exists.')}
${settingGroups()
  .flatMap(({ settings }) => settings)
  .map(({ name, arg, says, otherwise, repeatable }) =>
    item(`--${name} ${arg}`, `${capital(says)}${repeatable ? '; repeatable' : ''}. Default: ${otherwise}.`),
  )
  .join('\n')}
.SH EXIT STATUS
${item('0', 'All went well.')}
${item('1', 'It failed; one line on standard error says why.')}
${item('2', 'The configuration is wrong; the line names the key and the value.')}
.SH FILES
${item('/etc/debtorrent/debtorrent.toml', 'The configuration.')}
${item('/var/cache/debtorrent', 'The cache of the service.')}
${item('/run/debtorrent/apt.sock', 'The Unix socket of the service, which the APT method uses.')}
.SH SEE ALSO
.BR debtorrent.toml (5),
.BR apt\\-transport\\-debtorrent (1),
.BR apt.conf (5),
.BR sources.list (5)
`;
}

function file(): string {
  return `.SH NAME
debtorrent.toml \\- configuration of debtorrent
.SH SYNOPSIS
/etc/debtorrent/debtorrent.toml
.SH DESCRIPTION
${paragraph('The file is TOML. Flags on the command line and environment variables have the same names as its keys and beat it: cache-dir is --cache-dir and DEBTORRENT_CACHE_DIR. A key that is unknown and a value that is wrong are errors; the log warns of variables of such a name that are no settings. Sizes and rates are bytes with K, M, G or T (powers of 1024). Relative paths start at the directory of the file.')}
${settingGroups()
  .map(
    ({ title, settings }) => `.SH ${title.toUpperCase()}
${settings
  .map(({ name, says, otherwise, repeatable, example }) =>
    item(name, `${capital(says)}${repeatable ? ' (a list)' : ''}. Default: ${otherwise}.`, `${name} = ${example}`),
  )
  .join('\n')}`,
  )
  .join('\n')}
.SH SEE ALSO
.BR debtorrent (1)
`;
}

function method(): string {
  return `.SH NAME
apt\\-transport\\-debtorrent \\- APT method that fetches through debtorrent
.SH SYNOPSIS
deb debtorrent://localhost:9988/ftp.us.debian.org/debian trixie main
.SH DESCRIPTION
${paragraph('Sources whose address begins with debtorrent:// are fetched by this method: it asks the daemon for the file, and APT checks it as always. The address has the daemon first, then the mirror and the path there. With the daemon on this machine its Unix socket is used. When the daemon does not answer, or Node is not installed, the mirror is asked directly, so that updates go on without it.')}
${paragraph('For APT their host is localhost: Pin: origin and site= of unattended-upgrades do not match the name of the mirror. debtorrent setup writes such sources, unless a Pin: origin names their host, debtorrent setup --undo writes them back. Nobody runs the method by hand.')}
.SH OPTIONS
${item('Acquire::debtorrent::Socket "/run/debtorrent/apt.sock";', 'The Unix socket of the daemon, where it is not at the usual place.')}
${item('Acquire::debtorrent::Timeout "60";', 'Seconds without a byte from the daemon. When it does not answer the question whether it is well either, the mirror is asked directly; else APT tries the file again.')}
${paragraph('Acquire::http options, such as Dl-Limit, do not hold for it: how fast is fetched is said by download-limit of the daemon, in debtorrent.toml (5).')}
.SH FILES
${item('/usr/lib/apt/methods/debtorrent', 'The method.')}
.SH SEE ALSO
.BR debtorrent (1),
.BR sources.list (5),
.BR apt.conf (5)
`;
}

function item(term: string, says: string, example?: string): string {
  const shown = example === undefined ? '' : `\n.br\n\\fI${roff(example)}\\fR`;
  return `.TP\n\\fB${roff(term)}\\fR\n${paragraph(says, '')}${shown}`;
}

function paragraph(text: string, macro = '.PP\n'): string {
  return `${macro}${roff(text).replaceAll(/^([.'])/gm, '\\&$1')}`;
}

function roff(text: string): string {
  return text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll("'", '\\(aq');
}
