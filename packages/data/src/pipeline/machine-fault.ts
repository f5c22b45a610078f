/** A fault of the machine, not of an image: reading again may succeed, so that the image must not be skipped. */
export class MachineFault extends Error {}

/** Codes of a file that cannot be read, today or tomorrow. */
const faultsOfFiles = ["ENOENT", "ENOTDIR", "EACCES", "EPERM", "ELOOP", "ENAMETOOLONG", "EISDIR"];

/** Says why a file cannot be read: an ordinary error where the file is at fault, else a `MachineFault`. */
export function readingError(error: NodeJS.ErrnoException): Error {
  if (error.code === "ENOENT") return new Error("does not exist");
  const message = `cannot be read: ${error.message}`;
  return faultsOfFiles.includes(error.code ?? "") ? new Error(message) : new MachineFault(message);
}
