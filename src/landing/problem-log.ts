import { MAX_EXAMPLES, type Place, type Places, type ScanProblem } from '../model/scan.ts';

/** Counts every problem and keeps the first few examples of each kind, so that a file of nothing else stays small. */
export class ProblemLog {
  readonly #problems: ScanProblem[];

  /** @param problems written to in place. */
  constructor(problems: ScanProblem[]) {
    this.#problems = problems;
  }

  add(kind: ScanProblem['kind'], place: Place): void {
    let problem = this.#problems.find((each) => each.kind === kind);
    if (!problem) {
      problem = { kind, count: 0, examples: [] };
      this.#problems.push(problem);
    }
    addPlace(problem, place);
  }

  list(): ScanProblem[] {
    return this.#problems;
  }
}

export function addPlace(places: Places, place: Place): void {
  places.count += 1;
  if (places.examples.length < MAX_EXAMPLES) places.examples.push(place);
}
