import { describe, expect, it } from "vitest";
import { integer, listOf, number, oneOf, text } from "./parse-option.js";

describe("option values", () => {
  it.each([
    [text, "", /got an empty string; is a variable unset\?/],
    [text, "  ", /empty string/],
    [
      text,
      "--strict",
      /a value, got the option "--strict"; is a variable unset\? \(a file of that name is \.\/--strict\)/,
    ],
    [listOf(text), "--strict", /got the option "--strict"/],
    [number, "--strict", /got the option/],
    [oneOf(["a", "b"]), "--a", /got the option/],
    [number, "", /empty string/],
    [number, "1e400", /a number, got "1e400"/],
    [number, "abc", /a number, got "abc"/],
    [number, "0x10", /a number, got "0x10"/],
    [number, " 5", /a number, got " 5"/],
    [number, "0b11", /a number/],
    [number, "1_000", /a number/],
    [number, "Infinity", /a number/],
    [number, "٣", /a number/],
    [integer, "1.5", /an integer, got "1.5"/],
    [integer, "9007199254740993", /an integer/],
    [listOf(integer), "1,,2", /values between the commas, got "1,,2"; is a variable unset\?/],
    [listOf(integer), "", /empty string/],
    [listOf(integer), "1,x", /a number, got "x"/],
    [oneOf(["rec", "con"]), "naive", /one of rec, con, got "naive"\.$/],
    [oneOf(["pcgrad", "con-fig"]), "config", /one of pcgrad, con-fig, got "config"; did you mean con-fig\?$/],
  ])("%# refuses %j", (read, value, message) => {
    expect(() => read(value)).toThrow(message);
  });

  it("reads numbers and lists", () => {
    expect(text("./--strict")).toBe("./--strict");
    expect(text("-")).toBe("-");
    expect(number("1e-5")).toBe(1e-5);
    expect(number("+.5")).toBe(0.5);
    expect(number("2.")).toBe(2);
    expect(integer("-3")).toBe(-3);
    expect(integer("1e3")).toBe(1000);
    expect(listOf(integer)("1, 2,3")).toEqual([1, 2, 3]);
    expect(oneOf(["a", "b"])("b")).toBe("b");
  });
});
