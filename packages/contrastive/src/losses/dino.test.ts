import { expectClose } from "@dcr-js/testing";
import * as tf from "@tensorflow/tfjs-core";
import { expect, it } from "vitest";
import { expectGolden, goldenInput } from "../../test/golden.js";
import { dino, updateCenter } from "./dino.js";

it("equals lightly's DINOLoss", () =>
  expectGolden("dino", (a, b) => {
    const [first, second] = [goldenInput("b"), goldenInput("a")];
    const center = goldenInput("center");
    return dino({ student: [a, b], teacher: [first, second] }, { center, teacherTemperature: 0.07 });
  }));

it("sends no gradient to the teacher", () => {
  tf.tidy(() => {
    const x = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    const student = [tf.clone(x), tf.clone(x)];
    const gradient = tf.grad((teacher) => dino({ student, teacher: [teacher] }))(x);
    expectClose(gradient, [0, 0, 0, 0], {});
  });
});

it("moves the center towards the mean output", () => {
  tf.tidy(() => {
    const teacher = [tf.tensor2d([1, 0, 3, 0], [2, 2])];
    expectClose(updateCenter(tf.zeros([2]), teacher), [0.2, 0], { relative: 1e-6 });
    expectClose(updateCenter(tf.ones([2]), teacher, { momentum: 0.5 }), [1.5, 0.5], { relative: 1e-6 });
  });
});

it("refuses one view, more teacher views than student views, and views that differ", () => {
  tf.tidy(() => {
    const x = tf.ones([2, 3]);
    expect(() => dino({ student: [x], teacher: [x] })).toThrow(
      "dino: student views must be an integer, at least 2",
    );
    expect(() => dino({ student: [x, x], teacher: [x, x, x] })).toThrow("dino: teacher views must be");
    for (const other of [tf.ones([3, 3]), tf.ones([2, 4])]) {
      expect(() => dino({ student: [x, other], teacher: [x] })).toThrow("views of one shape");
    }
  });
});

it("refuses a center that is not one value for each output", () => {
  tf.tidy(() => {
    const views = [tf.ones([2, 3]), tf.ones([2, 3])];
    for (const center of [tf.ones([1]), tf.ones([2, 3]), [0, 0, 0]] as tf.Tensor[]) {
      expect(() => updateCenter(center, views)).toThrow("updateCenter: center must be [3]");
      expect(() => dino({ student: views, teacher: views }, { center })).toThrow("dino: center must be");
    }
  });
});
