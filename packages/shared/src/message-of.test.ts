import { expect, it } from "vitest";
import { messageOf } from "./message-of.js";

const circle: { self?: unknown } = {};
circle.self = circle;

it.each<[unknown, string]>([
  [new RangeError("too far"), "too far"],
  ["no network", "no network"],
  [undefined, "undefined"],
  [null, "null"],
  [3, "3"],
  [{ code: 1 }, '{"code":1}'],
  // An error of another realm is no instance of Error here.
  [{ message: "from a worker", name: "Error" }, "from a worker"],
  [{ message: 3 }, '{"message":3}'],
  [circle, "an object that is no Error"],
])("messageOf(%j) is %s", (error, text) => {
  expect(messageOf(error)).toBe(text);
});
