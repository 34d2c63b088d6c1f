/**
 * Reads what a test file prints and counts claims: tests that hold assertions. A test that groups others counts as
 * those; an assertion outside of any test counts as one itself.
 */
import { Parser } from 'tap-parser';

/** What one level of a file's tests came to. */
class Level {
  passed = 0;
  failed = 0;
  skipped = 0;
  groupsTests = false;
  /** Failed assertions, at this level and below. */
  failures = [];
  /** Skipped tests and assertions, at this level and below. */
  skips = [];

  /** @param {Parser} parser @param {boolean} isFile the outermost level */
  constructor(parser, isFile) {
    let test;
    parser.on('child', (child) => (test = new Level(child, false)));
    parser.on('assert', (result) => {
      if (test !== undefined) this.#addTest(test, result);
      else if (result.skip || result.todo) this.#skip(result);
      else if (isFile) this.#addClaim(result);
      else if (!result.ok) this.failures.push(result);
      test = undefined;
    });
  }

  #addTest(test, result) {
    this.groupsTests = true;
    for (const outcome of ['passed', 'failed', 'skipped']) this[outcome] += test[outcome];
    this.failures.push(...test.failures);
    this.skips.push(...test.skips);
    if (!test.groupsTests && (result.skip || result.todo)) this.#skip(result);
    // a group may fail by itself too: a hook that throws, a time-out
    else if (!test.groupsTests || (!result.ok && test.failed === 0)) this.#addClaim(result, test.failures.length > 0);
  }

  #addClaim(result, isExplained = false) {
    if (result.ok) this.passed++;
    else this.failed++;
    if (!result.ok && !isExplained) this.failures.push(result);
  }

  #skip(result) {
    this.skipped++;
    this.skips.push(result);
  }
}

/**
 * @param {AsyncIterable<Uint8Array>} stream TAP
 * @returns {Promise<{ level: Level, summary: import('tap-parser').FinalResults }>}
 */
export async function readTap(stream) {
  const parser = new Parser();
  const level = new Level(parser, true);
  const summary = new Promise((resolve) => parser.once('complete', resolve));
  for await (const chunk of stream) parser.write(chunk);
  parser.end();
  return { level, summary: await summary };
}
