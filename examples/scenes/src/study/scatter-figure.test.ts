import { expect, it } from "vitest";
import { scatterFigure } from "./scatter-figure.js";

const point = (label: string, mean: number) => ({
  label,
  method: "dcr",
  x: { mean, std: 1 },
  y: { mean: 24, std: 0.5 },
});

it("writes the labels of points that lie on one another a line apart, within the axes' height", () => {
  const points = Array.from({ length: 25 }, (_, i) => point(`rate ${i}`, i / 10));
  const svg = scatterFigure("P against D", { x: "D", y: "P", points });
  const heights = Array.from(svg.matchAll(/y="([\d.]+)" fill="[^"]*">rate \d+</g), (match) =>
    Number(match[1]),
  );
  expect(heights).toHaveLength(25);
  for (const [i, height] of heights.entries()) {
    if (i > 0) expect(height - heights[i - 1]).toBeGreaterThanOrEqual(12.9);
    expect(height).toBeGreaterThan(40);
    expect(height).toBeLessThanOrEqual(434);
  }
});

it("escapes the title and draws bars of one standard deviation", () => {
  const svg = scatterFigure("a < b", { x: "D", y: "P", points: [point("one", 50), point("two", 60)] });
  expect(svg).toContain("<title>a &lt; b</title>");
  const bars = Array.from(
    svg.matchAll(/<line x1="([\d.]+)"[^>]*x2="([\d.]+)"[^>]*stroke-opacity="0.5"/g),
    (match) => Number(match[2]) - Number(match[1]),
  ).filter((length) => length > 0);
  // The axis spans 49 to 61 and 8 % on both sides over 550 pixels.
  expect(bars).toHaveLength(2);
  for (const length of bars) expect(length).toBeCloseTo((2 / (12 * 1.16)) * 550, 0);
});
