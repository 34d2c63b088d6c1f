/** /etc/debtorrent/debtorrent.toml with all settings commented out, and docs/CONFIGURATION.md. */
import { capital, settingGroups, type Setting } from './settings.ts';

export function exampleToml(): string {
  const groups = settingGroups().map(({ title, settings }) => `\n## ${title}\n${settings.map(entry).join('')}`);
  return `# Configuration of DebTorrent. Each line that begins with a key is a setting; take the # away to use it.
# A flag on the command line and a variable of the environment have the same names and beat this file.
# After a change: systemctl restart debtorrent. See debtorrent.toml(5).
${groups.join('')}`;
}

function entry({ name, says, otherwise, repeatable, example }: Setting): string {
  return `
# ${sentence(says)}${repeatable ? ' A list.' : ''}
# Default: ${otherwise}
#${name} = ${example}
`;
}

export function configurationPage(): string {
  const groups = settingGroups().map(({ title, settings }) => `## ${title}\n\n${settings.map(section).join('')}`);
  return `# Configuration

Made from the table in \`src/config/schema.ts\` (\`npm run manual\`); a test holds the two together.

Each setting is a flag, a key of the TOML file and an environment variable. Flags beat environment, environment beats
file. The file is \`/etc/debtorrent/debtorrent.toml\` unless \`--config FILE\` or \`DEBTORRENT_CONFIG\` names another. A wrong
value is one line that names key and value, and exit code 2; a variable \`DEBTORRENT_...\` that is no setting has no effect,
which the log says at the start.

Sizes and rates are bytes with K, M, G or T (powers of 1024). Lists are repeated flags, TOML arrays, or words in the
environment, divided by commas or spaces. Paths are relative to the working directory, in the file to the file's.

${groups.join('')}`;
}

function section({ name, arg, says, otherwise, repeatable, env, example }: Setting): string {
  return `### \`${name}\`

${sentence(says)}${repeatable ? ' Repeatable.' : ''}

- default: ${otherwise}
- flag: \`--${name} ${arg}\`, environment: \`${env}\`
- file: \`${name} = ${example}\`

`;
}

function sentence(says: string): string {
  return `${capital(says)}.`;
}
