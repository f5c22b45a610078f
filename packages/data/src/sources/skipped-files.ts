/** Where a message for a person goes. */
export type Log = (message: string) => void;

/** Collects the files that a source does not read, for one message about all of them. */
export class SkippedFiles {
  private readonly byReason = new Map<string, { count: number; names: string[] }>();

  add(reason: string, name: string): void {
    const group = this.byReason.get(reason) ?? { count: 0, names: [] };
    group.count++;
    if (group.names.length < 3) group.names.push(name);
    this.byReason.set(reason, group);
  }

  /** One line, such as `2 with no image's ending (a.txt, b.json), 1 hidden (.DS_Store)`; empty where nothing was left out. */
  toString(): string {
    return [...this.byReason]
      .map(([reason, { count, names }]) => {
        const more = count > names.length ? ", ..." : "";
        return `${count} ${reason} (${names.join(", ")}${more})`;
      })
      .join(", ");
  }

  /** Logs the files that were left out, if there are any. */
  report(where: string, log: Log): void {
    if (this.byReason.size > 0) log(`${where}: not read: ${this}`);
  }
}
