import { expect, it } from "vitest";
import { escapeMarkup } from "./escape-markup.js";

it("leaves nothing in a text that HTML reads as markup", () => {
  expect(escapeMarkup(`<a href="x">'&amp;`)).toBe("&lt;a href=&quot;x&quot;&gt;&#39;&amp;amp;");
});
