import { homedir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { hubSettings } from "./environment.js";

const names = ["HOME", "USERPROFILE", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"];
const before = Object.fromEntries(names.map((name) => [name, process.env[name]]));
const set = (values: Record<string, string | undefined>) => {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
};
const none = Object.fromEntries(names.slice(2).map((name) => [name, undefined]));
afterEach(() => set(before));

it("caches below the user's folder, without HOME too", () => {
  set(none);
  const expected = join(homedir(), ".cache/huggingface/hub");
  expect(hubSettings({}).cacheDir).toBe(expected);
  set({ HF_HOME: "~/models" });
  expect(hubSettings({}).cacheDir).toBe(join(homedir(), "models/hub"));
});

it.runIf(process.platform !== "win32")(
  "says what to do where HOME is empty, if the cache has no place",
  async () => {
    set({ ...none, HOME: "" });
    expect(() => hubSettings({})).toThrow(
      "the user has no home folder to cache models in (HOME is empty); set HF_HOME, or the option cacheDir",
    );
    const settings = hubSettings({ cacheDir: "/models" });
    expect(settings.cacheDir).toBe("/models");
    expect(process.env["HF_TOKEN"] ?? (await settings.token())).toBe(process.env["HF_TOKEN"]);
    set({ HF_HOME: "/hf" });
    expect(hubSettings({}).cacheDir).toBe("/hf/hub");
  },
);
