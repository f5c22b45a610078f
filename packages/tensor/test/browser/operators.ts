// tfjs-core's own specs of the operators that models are made of, on our WebGPU backend.
import { type Results, runSpecs } from "./jasmine.js";
import "@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js";
import { webgpuBackendName } from "@dcr-js/tensor";
import * as tf from "@tensorflow/tfjs-core";
import { setTestEnvs, setupTestFilters } from "@tensorflow/tfjs-core/dist/jasmine_util.js";
import { registerWebGPUBackend } from "../../src/backend/webgpu/register-backend.js";
import { requestWebGPUDevice } from "../../src/device/request-device.js";

// Loaded once the environment that they are declared for is known.
const families = [
  () => import("@tensorflow/tfjs-core/dist/ops/arithmetic_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/add_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/sub_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/binary_ops_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/square_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/clip_by_value_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/abs_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/erf_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/exp_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/neg_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/relu_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/rsqrt_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/sigmoid_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/softplus_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/sqrt_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/tanh_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/sum_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/mean_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/max_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/min_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/prod_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/all_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/any_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/arg_max_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/cumsum_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/log_sum_exp_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/softmax_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/log_softmax_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/mat_mul_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/conv2d_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/conv2d_transpose_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/max_pool_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/avg_pool_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/concat_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/gather_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/one_hot_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/pad_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/slice_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/slice1d_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/slice2d_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/slice3d_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/slice4d_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/split_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/stack_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/tile_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/transpose_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/unsorted_segment_sum_test.js"),
  () => import("@tensorflow/tfjs-core/dist/ops/where_test.js"),
];

export async function run(): Promise<Results> {
  const device = await requestWebGPUDevice({ software: true });
  registerWebGPUBackend(device, { checkKeys: true });
  setTestEnvs([{ name: webgpuBackendName, backendName: webgpuBackendName, isDataSync: false }]);
  // It expects a gradient that divides by the size of the window where the pool divides by how many elements are in it.
  const excludes = ["avgPool dcr-webgpu {} gradient x=[3,3,1] f=[3,3] s=1 p=explicit"];
  setupTestFilters([{ include: ` ${webgpuBackendName} `, excludes }], () => false);
  for (const load of families) await load();
  // tfjs goes on with another backend, in silence, where one does not start.
  afterEach(() => expect(tf.getBackend()).toBe(webgpuBackendName));
  return runSpecs(device.name);
}
