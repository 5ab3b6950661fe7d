import { MAX_PROBLEM_EXAMPLES, type ProblemExample, type ScanProblem } from '../model/scan.ts';

/** Counts every problem and keeps the first few examples of each kind, so that a file of nothing else stays small. */
export class ProblemLog {
  readonly #problems: ScanProblem[];

  /** @param problems written to in place. */
  constructor(problems: ScanProblem[]) {
    this.#problems = problems;
  }

  add(kind: ScanProblem['kind'], record: number, byteOffset: number, fields?: number): void {
    let problem = this.#problems.find((each) => each.kind === kind);
    if (!problem) {
      problem = { kind, count: 0, examples: [] };
      this.#problems.push(problem);
    }
    problem.count += 1;
    if (problem.examples.length >= MAX_PROBLEM_EXAMPLES) return;
    const example: ProblemExample = { record, byteOffset };
    if (fields !== undefined) example.fields = fields;
    problem.examples.push(example);
  }

  list(): ScanProblem[] {
    return this.#problems;
  }
}
