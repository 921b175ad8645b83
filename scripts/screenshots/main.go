// Command screenshots opens the report of a run in headless Chromium and writes pictures of it: those of the README, or
// of the whole page at other widths.
//
//	go run ./scripts/screenshots RUN docs                     # docs/report.png, docs/report-explorer.png
//	go run ./scripts/screenshots -width 390 -dark RUN FOLDER  # FOLDER/page-390-dark.png
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

func main() {
	width := flag.Int64("width", 0, "of the whole page, in pixels, instead of the pictures of the README")
	dark := flag.Bool("dark", false, "in dark mode")
	query := flag.String("query", "", "number of the query to choose")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: screenshots [-width PIXELS] [-dark] RUN FOLDER")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), flag.Arg(1), *width, *dark, *query); err != nil {
		fmt.Fprintln(os.Stderr, "screenshots:", err)
		os.Exit(1)
	}
}

// run writes the pictures of the run at dir into folder.
func run(dir, folder string, width int64, dark bool, query string) error {
	page, err := filepath.Abs(filepath.Join(dir, "report.html"))
	if err != nil {
		return err
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if width > 0 {
		mode := map[bool]string{false: "light", true: "dark"}[dark]
		return shoot(ctx, page, filepath.Join(folder, fmt.Sprintf("page-%d-%s.png", width, mode)), width, dark, "body", query)
	}
	if err := shoot(ctx, page, filepath.Join(folder, "report.png"), 1280, false, "", query); err != nil {
		return err
	}
	return shoot(ctx, page, filepath.Join(folder, "report-explorer.png"), 1280, true, "#explorer", query)
}

// shoot writes a picture of an element of the page, or of what fits a window for "".
func shoot(ctx context.Context, page, file string, width int64, dark bool, element, query string) error {
	scheme := map[bool]string{false: "light", true: "dark"}[dark]
	const height = 1200
	steps := []chromedp.Action[chromedp.Void]{
		chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
			_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
			return err
		}),
		chromedp.EmulateViewport(width, height, chromedp.EmulateScale(1)),
		chromedp.Navigate("file://" + page),
		chromedp.WaitReady(chromedp.CSS("html[data-drawn]")),
	}
	if err := chromedp.Do(ctx, steps...); err != nil {
		return fmt.Errorf("open %s: %w", page, err)
	}
	if query != "" {
		if _, err := chromedp.Run(ctx, chromedp.Evaluate[any](fmt.Sprintf(
			`document.getElementById("query-%s").click(), document.activeElement.blur(), scrollTo(0, 0), 0`, query))); err != nil {
			return fmt.Errorf("choose query %s: %w", query, err)
		}
	}
	if err := chromedp.Do(ctx, chromedp.Sleep(300*time.Millisecond)); err != nil {
		return err
	}
	take := chromedp.CaptureScreenshot()
	if element != "" {
		take = chromedp.Screenshot(chromedp.CSS(element))
	}
	picture, err := chromedp.Run(ctx, take)
	if err != nil {
		return fmt.Errorf("picture of %s: %w", page, err)
	}
	return os.WriteFile(file, picture, 0o666)
}
