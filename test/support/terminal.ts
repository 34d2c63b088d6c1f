/** Programs on a terminal of their own, as people see them (script(1) of util-linux or bsdutils). */
import { spawn, type ChildProcess } from 'node:child_process';

export class Terminal {
  /** All that was shown, with control characters. */
  output = '';
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  /** It has ended, and all that it has shown is here. */
  #closed = false;
  #waiting: (() => void)[] = [];

  /** @param command for the shell. */
  constructor(command: string, options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
    const env = { ...options.env, TERM: 'xterm', COLUMNS: '160', SHELL: '/bin/sh' };
    const line = `stty cols 160 rows 50; ${command}`;
    this.#child = spawn('script', ['-qefc', line, '/dev/null'], {
      ...options,
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.output += text;
      this.#wake();
    });
    this.exited = new Promise((resolve) => {
      this.#child.once('close', (code) => {
        this.#closed = true;
        resolve(code);
        this.#wake();
      });
    });
  }

  /** Waits until the pattern is on the terminal. @throws when the program ends first. */
  async shows(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.output)) {
      if (this.#closed) throw new Error(`${pattern} was never shown:\n${this.output}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  async close(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
