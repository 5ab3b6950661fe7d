import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Frame, type Page } from 'playwright-core';

/** A user's browser: the Chromium that is installed on this machine. */
export interface WebBrowser {
  /** Opens an address, waits until the page has text that matches, and saves a picture of it. @returns its text. */
  look(url: string, picture: string, expected: RegExp): Promise<string>;
  /** Fills in and sends the form that starts a workflow, as a user does. */
  startWorkflow(form: StartForm): Promise<void>;
  close(): Promise<void>;
}

export interface StartForm {
  /** Address of the namespace in the Web UI. */
  url: string;
  workflowId: string;
  workflowType: string;
  taskQueue: string;
  /** JSON text. */
  input: string;
}

/** Debian's package installs Chromium here. CHROMIUM names another program. */
const PROGRAM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** Folder of pictures for the developer. Git ignores it. */
const PICTURES = new URL('../../test-artifacts/web-ui/', import.meta.url);
/** The Web UI fetches a page's data after it has loaded. The search index behind its lists lags by seconds. */
const PAGE_TIMEOUT_MS = 30_000;

/** The reason why tests skip the browser, or false if Chromium is installed. */
export const noChromium = existsSync(PROGRAM) ? false : `no Chromium at ${PROGRAM} (CHROMIUM)`;

export async function openChromium(): Promise<WebBrowser> {
  await mkdir(PICTURES, { recursive: true });
  const browser: Browser = await chromium.launch({
    executablePath: PROGRAM,
    args: [
      // Chromium has no sandbox when root runs it in a container. The pages come from this machine only.
      ...['--no-sandbox', '--disable-gpu'],
      // These options stop Chromium's own requests.
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  });
  const context = await browser.newContext({
    viewport: { width: 1400, height: 900 },
    timezoneId: 'UTC',
  });
  context.setDefaultTimeout(PAGE_TIMEOUT_MS);
  return {
    look: async (url, picture, expected) => {
      const page = await context.newPage();
      try {
        await page.goto(url);
        return await untilItSays(page, expected);
      } finally {
        await page.screenshot({ path: fileURLToPath(new URL(`${picture}.png`, PICTURES)) });
        await page.close();
      }
    },
    startWorkflow: async ({ url, input, ...fields }) => {
      const page = await context.newPage();
      try {
        await page.goto(`${url}/workflows/start-workflow`);
        // The form ignores text that a script puts into a field, so the test types each key.
        for (const [id, value] of Object.entries(fields)) {
          await page.locator(`#${id}`).pressSequentially(value);
          await page.keyboard.press('Tab');
        }
        await page.click('[contenteditable][aria-label="Data"]');
        await page.keyboard.insertText(input);
        await page.click('h1');
        const button = page.locator('[data-testid="start-workflow-button"]:not([disabled])');
        const answered = page.waitForResponse(
          (answer) =>
            answer.request().method() === 'POST' && /\/workflows\/[^/]/.test(answer.url()),
        );
        await button.click();
        const answer = await answered;
        if (!answer.ok()) throw new Error(`${answer.status()}: ${await answer.text()}`);
      } finally {
        await page.screenshot({ path: fileURLToPath(new URL('start-form.png', PICTURES)) });
        await page.close();
      }
    },
    close: async () => {
      await browser.close();
    },
  };
}

async function untilItSays(page: Page, expected: RegExp): Promise<string> {
  const end = Date.now() + PAGE_TIMEOUT_MS;
  for (;;) {
    // The Web UI shows Markdown in frames.
    const texts = page.frames().map(async (frame) => await textOf(frame));
    const text = (await Promise.all(texts)).join('\n');
    if (expected.test(text)) return text;
    if (Date.now() > end) throw new Error(`${page.url()} never says ${String(expected)}:\n${text}`);
    await page.waitForTimeout(200);
  }
}

/** The Web UI may replace a frame while this function reads it. The next look reads the new frame. */
async function textOf(frame: Frame): Promise<string> {
  return await frame
    .locator('body')
    .innerText({ timeout: 1000 })
    .catch(() => '');
}
