/**
 * `npm run screenshot -- URL FILE`: a page of the Web UI as a picture, for the README and for a look. Needs
 * Chromium: `CHROMIUM`, else /usr/bin/chromium.
 */
import { chromium } from 'playwright-core';

const [url, file] = process.argv.slice(2);
if (url === undefined || file === undefined) {
  console.error('npm run screenshot -- URL FILE');
  process.exit(2);
}
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  // As root in a container Chromium has no sandbox; the page is this machine's own.
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});
try {
  const page = await browser.newPage({ viewport: { width: 1400, height: 1000 } });
  await page.goto(url);
  // The Web UI asks for the workflow's details after it has loaded.
  await page.waitForLoadState('networkidle');
  await page.screenshot({ path: file, fullPage: true });
} finally {
  await browser.close();
}
