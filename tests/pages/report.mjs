// Drives a report's page as a person would, in a browser of others. Prints what it saw as JSON, and
// fails with the first thing that is not as it should be.
import { chromium } from "playwright-core";
import { pathToFileURL } from "node:url";

const [page_path, shot, expected_rows] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
const page = await context.newPage();
const wrong = [], asked = [];
page.on("console", (it) => { if (["error", "warning"].includes(it.type())) wrong.push(it.text()); });
page.on("pageerror", (it) => wrong.push(String(it)));
page.on("dialog", (it) => { wrong.push("it said " + it.message()); it.dismiss(); });
page.on("request", (it) => { if (!/^(file|data):/.test(it.url())) asked.push(it.url()); });

const check = (what, good) => { if (!good) throw new Error(what); };
const shown = () => page.locator(".scene").count();
const begun = Date.now();
await page.goto(pathToFileURL(page_path).href);
await page.waitForSelector(".scene");
const drawn_ms = Date.now() - begun;
const n = Number(expected_rows);
check("a page has at most 50 rows", (await shown()) === Math.min(50, n));
check("the rows are counted", (await page.locator("#count").textContent()).startsWith(n + " of " + n));
check("gates stand on top", await page.locator("#gates tbody tr").count() > 0);
check("charts are there", await page.locator("svg[role=img]").count() === 3);
check("each chart has its table", await page.locator("figure details table").count() === 3);
const loaded = await page.locator(".tile img").first().evaluate(async (it) => {
  if (!it.complete) await new Promise((done) => { it.onload = it.onerror = done; });
  return it.naturalWidth;
});
check("its images are found", loaded > 0);
await page.screenshot({ path: shot });

// Keys: the second row, its first image, leafing, and closing.
await page.keyboard.press("j");
await page.keyboard.press("j");
const focused = () => page.evaluate(() => document.activeElement.querySelector("h3")?.textContent);
const first = await focused();
await page.keyboard.press("k");
check("j and k move", first && (await focused()) !== first);
await page.keyboard.press("Enter");
check("Enter opens", await page.locator("dialog[open]").count() === 1);
const told = await page.locator("#told").textContent();
await page.keyboard.press("ArrowRight");
check("arrows leaf", (await page.locator("#told").textContent()) !== told);
await page.screenshot({ path: shot.replace(".png", "-view.png") });
await page.keyboard.press("Escape");
check("Escape closes", await page.locator("dialog[open]").count() === 0);

// Two images beside each other, then wiped.
await page.locator(".tile").nth(0).focus();
await page.keyboard.press("c");
await page.locator(".tile").nth(1).focus();
await page.keyboard.press("c");
check("two are compared", await page.locator("dialog[open] .stage img").count() === 2);
await page.keyboard.press("w");
check("w wipes", await page.locator("dialog[open] .stage.wipe").count() === 1 && await page.locator("#wipe").isVisible());
await page.screenshot({ path: shot.replace(".png", "-wipe.png") });
await page.keyboard.press("Escape");

// Filters.
const outcomes = await page.locator("#outcome option").allTextContents();
await page.selectOption("#outcome", "ok");
const ok = Number((await page.locator("#count").textContent()).split(" ")[0]);
check("a filter leaves those it names", ok > 0 && ok <= n);
await page.selectOption("#outcome", "");
const name = await page.locator(".scene h3").first().textContent();
await page.keyboard.press("Escape");
await page.locator("#search").fill(name);
check("a search finds", (await page.locator(".scene h3").first().textContent()) === name);
await page.locator("#search").fill("");
await page.selectOption("#sort", "cost");
check("all are back", (await page.locator("#count").textContent()).startsWith(n + " of " + n));
if (n > 50) {
  await page.locator("#on").click();
  check("pages turn", (await page.locator("#count").textContent()).includes("page 2 of"));
}
await page.setViewportSize({ width: 390, height: 800 });
check("a phone needs no sideways scrolling", await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
await page.screenshot({ path: shot.replace(".png", "-phone.png") });
check("nothing was said in the console: " + wrong.join("; "), wrong.length === 0);
check("nobody was asked for anything: " + asked.join(" "), asked.length === 0);
console.log(JSON.stringify({ rows: n, outcomes, drawn_ms, console: wrong.length, requests: asked.length }));
await browser.close();
