/** The longest nap, and the share of the time waited so far that a nap may take: a wait ends at most that much late. */
const longestNapMs = 1;
const napShare = 1 / 16;

const isNode = typeof process !== "undefined" && Boolean(process.versions?.node);
/** Nobody notifies a sleeper here: naps end by themselves. */
let bell: Int32Array | undefined;
let waits = 0;
let began = 0;
let napping = false;

/**
 * Awaits a promise that the device settles, and leaves the processor to others meanwhile.
 *
 * Dawn for Node asks the device at every turn of the event loop whether it is done, and so keeps a core busy, which a software
 * adapter needs to compute. Here the host takes a short nap at each turn. Other work of the event loop goes on between naps.
 */
export async function waitForDevice<T>(settled: Promise<T>): Promise<T> {
  if (!isNode) return settled;
  if (waits++ === 0) began = performance.now();
  if (!napping) {
    napping = true;
    setImmediate(nap);
  }
  try {
    return await settled;
  } finally {
    waits--;
  }
}

function nap(): void {
  napping = waits > 0;
  if (!napping) return;
  bell ??= new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(bell, 0, 0, Math.min(longestNapMs, (performance.now() - began) * napShare));
  setImmediate(nap);
}
