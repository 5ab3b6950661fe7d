import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Frame, type Page } from 'playwright-core';

/** A person's browser: the machine's own Chromium. */
export interface WebBrowser {
  /** Opens an address, waits until the page says something that matches, and keeps a picture of it. @returns its text. */
  look(url: string, picture: string, expected: RegExp): Promise<string>;
  /** Fills in the form that starts a workflow as a person does, and sends it. */
  startWorkflow(form: StartForm): Promise<void>;
  close(): Promise<void>;
}

export interface StartForm {
  /** Of the namespace in the Web UI. */
  url: string;
  workflowId: string;
  workflowType: string;
  taskQueue: string;
  /** JSON. */
  input: string;
}

/** Where Debian's package puts it; CHROMIUM names another one. */
const PROGRAM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
/** Not in Git: for a person to look at. */
const PICTURES = new URL('../../test-artifacts/web-ui/', import.meta.url);
/** The Web UI fetches a page's data after it has loaded, and the search behind its lists lags by seconds. */
const PAGE_TIMEOUT_MS = 30_000;

/** Why there is no looking; false where there is. */
export const noChromium = existsSync(PROGRAM) ? false : `no Chromium at ${PROGRAM} (CHROMIUM)`;

export async function openChromium(): Promise<WebBrowser> {
  await mkdir(PICTURES, { recursive: true });
  const browser: Browser = await chromium.launch({
    executablePath: PROGRAM,
    args: [
      // As root in a container it has no sandbox; the pages are this machine's own.
      ...['--no-sandbox', '--disable-gpu'],
      // It makes no request of its own.
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
        // Key by key: the form does not take what is only put there.
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
    // Markdown is shown in frames of its own.
    const texts = page.frames().map(async (frame) => await textOf(frame));
    const text = (await Promise.all(texts)).join('\n');
    if (expected.test(text)) return text;
    if (Date.now() > end) throw new Error(`${page.url()} never says ${String(expected)}:\n${text}`);
    await page.waitForTimeout(200);
  }
}

/** A frame may be replaced while it is read: the next look finds the new one. */
async function textOf(frame: Frame): Promise<string> {
  return await frame
    .locator('body')
    .innerText({ timeout: 1000 })
    .catch(() => '');
}
