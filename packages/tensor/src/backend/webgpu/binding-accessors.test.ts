import { describe, expect, it } from "vitest";
import { declareBinding } from "./binding-accessors.js";

const declared = (type: string, isHalf: boolean, access: "read" | "read_write" = "read_write") =>
  declareBinding({ name: "x", type, isHalf, binding: 3, access }).split("\n");

describe("declareBinding", () => {
  it("reads and writes elements as they are", () => {
    expect(declared("vec4<f32>", false)).toEqual([
      "@group(1) @binding(3) var<storage, read_write> x_elements: array<vec4<f32>>;",
      "fn load_x(index: u32) -> vec4<f32> { return x_elements[index]; }",
      "fn store_x(index: u32, value: vec4<f32>) { x_elements[index] = value; }",
    ]);
  });

  it("widens what is read and rounds what is written", () => {
    expect(declared("f32", true)).toEqual([
      "@group(1) @binding(3) var<storage, read_write> x_elements: array<f16>;",
      "fn load_x(index: u32) -> f32 { return f32(x_elements[index]); }",
      "fn store_x(index: u32, value: f32) { x_elements[index] = f16(value); }",
    ]);
  });

  it("reads vectors of float16 in words of two", () => {
    expect(declared("vec2<f32>", true, "read")).toEqual([
      "@group(1) @binding(3) var<storage, read> x_elements: array<u32>;",
      "fn load_x(index: u32) -> vec2<f32> { let words = x_elements[index]; return unpack2x16float(words); }",
    ]);
    expect(declared("vec4<f32>", true, "read")[0]).toMatch(/array<vec2<u32>>;$/);
    expect(declared("f32", true, "read")[0]).toMatch(/array<f16>;$/);
  });

  it("takes what is moved as bits for those of the float32", () => {
    expect(declared("vec4<u32>", true)).toEqual([
      "@group(1) @binding(3) var<storage, read_write> x_elements: array<vec4<f16>>;",
      "fn load_x(index: u32) -> vec4<u32> { return bitcast<vec4<u32>>(vec4<f32>(x_elements[index])); }",
      "fn store_x(index: u32, value: vec4<u32>) { x_elements[index] = vec4<f16>(bitcast<vec4<f32>>(value)); }",
    ]);
  });

  it("lets an input be read alone, and atomic elements be reached by name", () => {
    expect(declared("i32", false, "read")).toHaveLength(2);
    expect(declared("atomic<i32>", false)).toEqual([
      "@group(1) @binding(3) var<storage, read_write> x: array<atomic<i32>>;",
    ]);
  });

  it("refuses what float16 cannot stand for", () => {
    expect(() => declared("atomic<i32>", true)).toThrow(/"x" cannot lie in memory as float16/);
    expect(() => declared("i32", true)).toThrow(/as its elements are i32/);
  });
});
