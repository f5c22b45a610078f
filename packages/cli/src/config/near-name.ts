/** The known name that is closest to an unknown one, if any is close enough to be meant. */
export function nearName(unknown: string, known: readonly string[]): string | undefined {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[-_]/g, "");
  const [best] = known
    .map((name) => ({ name, distance: editDistance(plain(unknown), plain(name)) }))
    .sort((a, b) => a.distance - b.distance);
  return best && best.distance <= Math.max(1, Math.floor(unknown.length / 3)) ? best.name : undefined;
}

/** The end of an error on an unknown name: the known one that may be meant, or nothing. */
export function didYouMean(unknown: string, known: readonly string[]): string {
  const near = nearName(unknown, known);
  return near === undefined ? "" : `; did you mean ${near}?`;
}

/** How many letters are replaced, inserted, removed or swapped with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = rows[i - 1]![j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(replace, rows[i - 1]![j]! + 1, row[j - 1]! + 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) row[j] = Math.min(row[j]!, rows[i - 2]![j - 2]! + 1);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}
