import { expect, it } from "vitest";
import { namingOption } from "./naming-option.js";

const said = (message: string, place?: string) =>
  namingOption("--images", () => Promise.reject(new Error(message)), place).catch(
    (error: Error) => error.message,
  );

it("names the option once, the place where it is missing, and no function", async () => {
  expect(await namingOption("--images", async () => 3)).toBe(3);
  expect(await said("imageFolder: /a holds no images")).toBe("--images: /a holds no images");
  expect(await said("photos: no such folder")).toBe("--images: photos: no such folder");
  expect(await said("size: wrong", "/a")).toBe("--images: /a: size: wrong");
  expect(await said("/a/b: wrong", "/a")).toBe("--images: /a/b: wrong");
  expect(await said("--images: /a: gone", "/a")).toBe("--images: /a: gone");
  // A user's module may throw any value, not only an Error.
  const thrown = namingOption("--images", () => Promise.reject("no network"), "/a");
  await expect(thrown).rejects.toThrow(new Error("--images: /a: no network"));
});
