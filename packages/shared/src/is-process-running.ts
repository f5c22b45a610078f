/** Whether a process of this machine runs, by its id. */
export function isProcessRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Another user's process runs too; this one may not signal it.
    return (error as NodeJS.ErrnoException).code !== "ESRCH";
  }
}
