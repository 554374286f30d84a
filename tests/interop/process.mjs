// A child that talks in JSON lines: the sandbox, or a test client (peer.mjs).
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/// How long anything may take that takes milliseconds on an idle machine; tests run while others use all cores.
export const kPatience = 60_000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export class JsonProcess {
  #child;
  #waiting = new Set();
  #tail = []; // what it said last, for whoever reads of its failure

  constructor(name, [program, ...words], environment) {
    this.name = name;
    this.#child = spawn(program, words, { env: { ...process.env, ...environment }, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stdin.on('error', () => {}); // it ended: the exit says so
    this.ended = new Promise((resolve) => {
      this.#child.on('error', (error) => this.#end(String(error), resolve));
      this.#child.on('exit', (code, signal) => this.#end(`exit ${code ?? signal}`, resolve));
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#take(line));
    createInterface({ input: this.#child.stderr }).on('line', (line) => this.#remember(line));
  }

  order(order) {
    this.#child.stdin.write(JSON.stringify(order) + '\n');
  }

  /// The next message, from this call on, for which `match` holds.
  next(match, what) {
    return new Promise((resolve, reject) => {
      const wait = { match, resolve, reject, what };
      wait.timer = setTimeout(() => this.#fail(wait, `no ${what} within ${kPatience / 1000} s`), kPatience);
      this.#waiting.add(wait);
      if (this.over) this.#fail(wait, this.over);
    });
  }

  /// Asks it to end; how it ended.
  async quit() {
    this.askToEnd();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), kPatience);
    await this.ended;
    clearTimeout(timer);
    return this.over;
  }

  askToEnd() {
    this.#child.kill('SIGTERM');
  }
  /// For subclasses; messages nobody waits for are theirs to keep.
  took(_message) {}
  tail() {
    return this.#tail.map((line) => `    ${this.name}: ${line}`).join('\n');
  }

  #take(line) {
    let message;
    try {
      message = JSON.parse(line);
    } catch {
      return this.#remember(`not JSON: ${line}`);
    }
    if (message.event !== 'heard') this.#remember(line);
    this.took(message);
    for (const wait of this.#waiting) {
      if (!wait.match(message)) continue;
      clearTimeout(wait.timer);
      this.#waiting.delete(wait);
      wait.resolve(message);
    }
  }

  #remember(line) {
    this.#tail.push(line.slice(0, 500));
    if (this.#tail.length > 30) this.#tail.shift();
  }

  #end(how, resolve) {
    this.over = how;
    for (const wait of this.#waiting) this.#fail(wait, how);
    resolve();
  }

  #fail(wait, why) {
    clearTimeout(wait.timer);
    this.#waiting.delete(wait);
    wait.reject(new Error(`${this.name}: ${why} (waiting for ${wait.what})\n${this.tail()}`));
  }
}

/// Until `done()` holds; false when `progress()` has stood still for `stall` milliseconds.
export async function until(done, progress, stall) {
  let seen = progress();
  let since = Date.now();
  while (!done()) {
    await sleep(10);
    const now = progress();
    if (now !== seen) [seen, since] = [now, Date.now()];
    else if (Date.now() - since > stall) return false;
  }
  return true;
}
