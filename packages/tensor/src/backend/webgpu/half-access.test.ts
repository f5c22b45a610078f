import { describe, expect, it } from "vitest";
import { accessHalves } from "./half-access.js";

const translate = (wgsl: string, types: Record<string, string>) =>
  accessHalves(wgsl, new Map(Object.entries(types)));

describe("accessHalves", () => {
  it("widens what is read and rounds what is written", () => {
    expect(translate("y[index] = x[index] * 2.0;", { x: "f32", y: "f32" })).toBe(
      "y[index] = f16(f32(x[index]) * 2.0);",
    );
    expect(translate("y[i] = y[i] + sum; z[0] = y[1];", { y: "vec4<f32>" })).toBe(
      "y[i] = vec4<f16>(vec4<f32>(y[i]) + sum); z[0] = vec4<f32>(y[1]);",
    );
  });

  it("reads what is moved as bits as the float32's", () => {
    expect(translate("y[i] = x[i];", { x: "u32", y: "u32" })).toBe(
      "y[i] = f16(bitcast<f32>(bitcast<u32>(f32(x[i]))));",
    );
    expect(translate("let v = x[i].y;", { x: "vec4<u32>" })).toBe(
      "let v = bitcast<vec4<u32>>(vec4<f32>(x[i])).y;",
    );
  });

  it("finds accesses inside accesses, and takes == for no assignment", () => {
    expect(translate("if (x[n[x[0]]] == x[1]) { return; }", { x: "f32" })).toBe(
      "if (f32(x[n[f32(x[0])]]) == f32(x[1])) { return; }",
    );
  });

  it("leaves other names alone", () => {
    const wgsl = "let x = u.x[0] + max_x[1] + xs[2]; fn x_of(x: f32) {}";
    expect(translate(wgsl, { x: "f32" })).toBe(wgsl);
  });

  it("refuses what float16 cannot stand for", () => {
    expect(() => translate("x[0]", { x: "atomic<i32>" })).toThrow(/"x" cannot lie in memory as float16/);
  });
});
