/**
 * `npm run screenshot -- URL FILE`: takes a picture of a page of the Web UI, for the README or for a check. It needs
 * Chromium: `CHROMIUM`, or else /usr/bin/chromium.
 */
import { chromium } from 'playwright-core';

const [url, file] = process.argv.slice(2);
if (url === undefined || file === undefined) {
  console.error('npm run screenshot -- URL FILE');
  process.exit(2);
}
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
  // Chromium has no sandbox as root in a container. The page comes from this machine.
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
