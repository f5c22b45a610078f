import { checkNumber, describe } from "../shared/check-options.js";

/** Labels of rows, integers or names: rows of equal label are of one class. */
export type Labels = ArrayLike<number | string>;

/** Checks labels, one for each of `n` rows: integers or strings. Fractions are measurements, and would each be a class of its own. */
export function checkLabels(name: string, labels: Labels, n: number): void {
  if (typeof labels !== "object" || labels === null || labels.length !== n) {
    const got = labels?.length === undefined ? describe(labels) : `${labels.length}`;
    throw new Error(`${name} must hold ${n} labels, one for each row, got ${got}`);
  }
  for (let i = 0; i < n; i++) {
    const label = labels[i];
    if (typeof label !== "string" && !Number.isSafeInteger(label)) {
      throw new TypeError(`${name}[${i}] must be an integer or a string, got ${describe(label)}`);
    }
    if (typeof label !== typeof labels[0]) {
      throw new TypeError(
        `${name} must be all integers or all strings, got ${describe(labels[0])} and ${describe(label)}`,
      );
    }
  }
}

/** Refuses integers in one of two lists of labels and texts in the other: 1 and "1" are different labels, and would never agree. */
export function checkOneKind(
  caller: string,
  [one, first]: readonly [name: string, labels: Labels],
  [other, second]: readonly [name: string, labels: Labels],
): void {
  if (typeof first[0] === typeof second[0]) return;
  throw new TypeError(
    `${caller}: ${one} and ${other} must be of one kind, got ${describe(first[0])} and ${describe(second[0])}`,
  );
}

/** Checks class numbers, integers in `0..classes-1`, one for each of `n` rows. */
export function checkClasses(
  name: string,
  labels: ArrayLike<number>,
  { n, classes }: { n: number; classes: number },
): void {
  checkLabels(name, labels, n);
  for (let i = 0; i < n; i++) {
    checkNumber(`${name}[${i}]`, labels[i], { min: 0, max: classes - 1, integer: true });
  }
}

/** Numbers the labels in the order of their first appearance. */
export function numberLabels(labels: Labels): { names: (number | string)[]; numbers: Int32Array } {
  const numberOf = new Map<number | string, number>();
  const numbers = Int32Array.from({ length: labels.length }, (_, i) => {
    const label = labels[i];
    if (!numberOf.has(label)) numberOf.set(label, numberOf.size);
    return numberOf.get(label)!;
  });
  return { names: [...numberOf.keys()], numbers };
}
