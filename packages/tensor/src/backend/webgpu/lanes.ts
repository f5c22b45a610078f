/** Lanes of a subgroup where all of the device's have 4 or 8, as CPU adapters' do; else 0. */
export function lanesOf(device: GPUDevice): 0 | 4 | 8 {
  if (!device.features.has("subgroups")) return 0;
  const { subgroupMinSize, subgroupMaxSize } = device.adapterInfo;
  return subgroupMinSize === subgroupMaxSize && (subgroupMinSize === 4 || subgroupMinSize === 8)
    ? subgroupMinSize
    : 0;
}
