/** Steps in memory along the axes of `shape`, of an operand that is broadcast to it: 0 where it is repeated. */
function stepsOf(operand: readonly number[], shape: readonly number[]): number[] {
  const steps = new Array<number>(shape.length).fill(0);
  let step = 1;
  for (let axis = operand.length - 1; axis >= 0; axis--) {
    if (operand[axis] !== 1) steps[axis + shape.length - operand.length] = step;
    step *= operand[axis];
  }
  return steps;
}

/** Visits each element of a result, in order, with the places in memory of the operands' elements that broadcasting puts there. */
export function eachPair(
  shape: readonly number[],
  operands: readonly [readonly number[], readonly number[]],
  visit: (i: number, atA: number, atB: number) => void,
): void {
  const count = shape.reduce((product, size) => product * size, 1);
  const [a, b] = operands.map((operand) => stepsOf(operand, shape));
  const place = new Array<number>(shape.length).fill(0);
  for (let i = 0, atA = 0, atB = 0; i < count; i++) {
    visit(i, atA, atB);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      atA += a[axis];
      atB += b[axis];
      if (++place[axis] < shape[axis]) break;
      atA -= a[axis] * shape[axis];
      atB -= b[axis] * shape[axis];
      place[axis] = 0;
    }
  }
}
