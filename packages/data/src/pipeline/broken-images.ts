/** An image that could not be read. */
export interface BrokenImage {
  name: string;
  reason: string;
}

export interface BrokenOptions {
  /** Stop at the first broken image. Default false: it is skipped. */
  strict?: boolean;
  /** The share of broken images in an epoch above which reading stops, from 0 to 1. Default 0.1. */
  maxBroken?: number;
  /** Is told of every broken image that is skipped. Default: a line by `console.warn`. */
  onBroken?: (image: BrokenImage) => void;
}

/** Images of unknown number are judged once this many were read. */
const enough = 100;

/** Counts broken images of an epoch and stops where there are too many. */
export class BrokenImages {
  read = 0;
  broken = 0;
  private readonly examples: BrokenImage[] = [];

  /**
   * @param caller the public function, for errors
   * @param expected images in an epoch, where they are known
   */
  constructor(
    private readonly caller: string,
    private readonly options: Required<BrokenOptions>,
    private readonly expected?: number,
  ) {}

  /** Counts an image that could be read. */
  addRead(): void {
    this.read++;
  }

  /**
   * Counts a broken image and tells of it.
   *
   * @throws where `strict` says so, and where the share is above `maxBroken`
   */
  addBroken(image: BrokenImage): void {
    const { strict, maxBroken, onBroken } = this.options;
    this.read++;
    this.broken++;
    if (this.examples.length < 3) this.examples.push(image);
    if (strict) throw new Error(`${this.caller}: ${image.name} ${image.reason}`);
    onBroken(image);
    const total = this.expected ?? Math.max(this.read, enough);
    if (this.broken > maxBroken * total) this.stop();
  }

  /**
   * Ends an epoch and begins to count anew.
   *
   * @throws where the share is above `maxBroken`
   */
  endEpoch(): void {
    if (this.broken > this.options.maxBroken * this.read) this.stop();
    this.read = 0;
    this.broken = 0;
  }

  private stop(): never {
    const some = this.examples.map(({ name, reason }) => `${name} ${reason}`).join("; ");
    const { maxBroken } = this.options;
    throw new Error(
      `${this.caller}: ${this.broken} of ${this.read} images are broken, a share above maxBroken ${maxBroken}: ${some}`,
    );
  }
}
