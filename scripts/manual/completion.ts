/** Completion of the command line for bash, from the table of settings. */
import { SETTING_NAMES, SETTINGS } from '../../src/config/schema.ts';

/** Settings whose values are one of few words, by the text that stands for them in --help. */
const CHOICES: Readonly<Record<string, string>> = {
  'on|off': 'on off',
  LEVEL: 'trace debug info warn error fatal silent',
  FORMAT: 'pretty json',
};

export function bashCompletion(): string {
  const paths = SETTING_NAMES.filter((name) => SETTINGS[name].isPath);
  const choices = SETTING_NAMES.filter((name) => CHOICES[SETTINGS[name].arg] !== undefined);
  return `# Completion of debtorrent(1) for bash. Made from its table of settings.
_debtorrent() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command= each
  for each in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $each in serve | status | seed | tracker | setup) command=$each ;; esac
  done
  case $before in
    ${[...paths.map((name) => `--${name}`), '--root'].join(' | ')})
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
${choices
  .map(
    (name) => `    --${name})
      mapfile -t COMPREPLY < <(compgen -W '${CHOICES[SETTINGS[name].arg]}' -- "$word")
      return
      ;;
`,
  )
  .join('')}  esac
  local flags='${SETTING_NAMES.map((name) => `--${name}`).join(' ')} --help --version'
  case $command in
    status) flags+=' --json --watch' ;;
    seed) flags+=' --verbose' ;;
    setup) flags+=' --undo --proxy --print --yes --root' ;;
    '') flags+=' serve status seed tracker setup' ;;
  esac
  if [[ $command == seed && $word != -* ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -W "$flags" -- "$word")
  fi
}
complete -o filenames -F _debtorrent debtorrent
`;
}
