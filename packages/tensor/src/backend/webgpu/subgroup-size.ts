/** The subgroup size of a device whose subgroups all have 4 or all have 8 invocations, as CPU adapters' do; else 0. */
export function subgroupSizeOf(device: GPUDevice): 0 | 4 | 8 {
  if (!device.features.has("subgroups")) return 0;
  const { subgroupMinSize, subgroupMaxSize } = device.adapterInfo;
  return subgroupMinSize === subgroupMaxSize && (subgroupMinSize === 4 || subgroupMinSize === 8)
    ? subgroupMinSize
    : 0;
}
