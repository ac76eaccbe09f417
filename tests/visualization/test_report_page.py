"""The page of a report, as a browser shows it."""

import json
import re
import shutil
from html.parser import HTMLParser

import pytest

from stars_mm.visualization.report_page import report_page

EVIL = '<script>document.title = "taken"</script>'
CLASSES = ['wave', EVIL, '</script><b>kick', 'walk & run']


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list = []
        self.feed(page)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))


def test_nothing_of_the_data_becomes_a_tag_and_nothing_is_fetched(page_of):
    data = page_of(12, 8, CLASSES)
    page = report_page(f'{EVIL} & co', data)
    tags = Tags(page).tags
    assert [tag for tag, _ in tags].count('script') == 3  # data, plotly, the page's own
    assert [tag for tag, _ in tags].count('h1') == 1
    assert not [attrs for _, attrs in tags if 'src' in attrs]
    links = [attrs['href'] for _, attrs in tags if attrs.get('href')]
    assert all(link.startswith(('#', 'data:')) for link in links)
    (found,) = re.findall(r'id="data">(.*?)</script>', page, re.S)
    assert json.loads(found) == json.loads(json.dumps(data))


@pytest.fixture(scope='module')
def browser():
    playwright = pytest.importorskip('playwright.sync_api', reason='needs playwright')
    names = ('chromium', 'chromium-browser', 'google-chrome')
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip('needs Chromium, as the package chromium of a distribution')
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=['--no-sandbox'])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, tmp_path):
    """``open_page(data)``: shows a page from a file; at the end, nothing has gone wrong in it."""
    wrong: list = []
    pages: list = []

    def _open(data: dict, **kwargs):
        file = tmp_path / 'report.html'
        file.write_text(report_page(data['title'], data), encoding='utf-8')
        page = browser.new_page(**kwargs)
        pages.append(page)
        page.on('pageerror', lambda error: wrong.append(str(error)))
        page.on('console', lambda m: wrong.append(m.text) if m.type == 'error' else None)
        page.on('request', lambda r: None if r.url.startswith(('file:', 'data:', 'blob:'))
                else wrong.append(r.url))  # fmt: skip
        page.set_default_timeout(120_000)  # a machine may be busy
        page.goto(file.as_uri())
        page.wait_for_selector('html[data-ready]', state='attached')
        page.wait_for_selector('#map-plot .nsewdrag', state='attached')
        return page

    yield _open
    for page in pages:
        page.close()
    assert wrong == []


def click_clip(page, clip: int) -> None:
    """Click a clip's point on the map."""
    x, y = page.evaluate(
        """(clip) => {
            const { xaxis, yaxis } = $('map-plot')._fullLayout;
            const box = $('map-plot').getBoundingClientRect();
            return [box.x + xaxis._offset + xaxis.c2p(state.space.places[2 * clip]),
                    box.y + yaxis._offset + yaxis.c2p(state.space.places[2 * clip + 1])];
        }""",
        clip,
    )
    page.mouse.move(x - 15, y - 15)
    page.mouse.move(x, y)
    page.wait_for_selector('#map-plot .hoverlayer text')
    page.mouse.click(x, y)


def picture(page) -> str:
    return page.evaluate("$('clip-canvas').toDataURL()")


@pytest.mark.slow
def test_a_click_plays_a_clip_beside_its_neighbors(open_page, page_of):
    data = page_of(40, 20, CLASSES)
    page = open_page(data)
    page.evaluate("$('map').scrollIntoView({ behavior: 'instant' })")
    clip = 47
    click_clip(page, clip)
    page.wait_for_function("$('clip-name').textContent === 'clip47'")
    page.wait_for_function("Number($('time').value) > 100")
    before, phase = picture(page), page.evaluate('stage.phase')
    page.wait_for_function(f'stage.phase !== {phase}')
    page.wait_for_timeout(300)
    assert picture(page) != before
    near = page.evaluate(f'neighborsOf({clip})')
    names = page.locator('#neighbors button').evaluate_all('all => all.map((b) => b.title)')
    assert names == [f'clip{n}' for n in near]
    assert all(page.locator('#neighbors canvas').evaluate_all(
        "all => all.map((c) => c.getContext('2d').getImageData(0, 0, c.width, c.height)"
        '.data.some(Boolean))'))  # fmt: skip

    page.keyboard.press(' ')
    page.wait_for_timeout(100)
    still = picture(page)
    page.wait_for_timeout(300)
    assert picture(page) == still
    box = page.locator('#clip-canvas').bounding_box()
    page.mouse.move(box['x'] + 100, box['y'] + 100)
    page.mouse.down()
    page.mouse.move(box['x'] + 160, box['y'] + 110)
    page.mouse.up()
    assert picture(page) != still  # turned


@pytest.mark.slow
def test_keys_search_theme_and_names(open_page, page_of):
    page = open_page(page_of(40, 20, CLASSES), color_scheme='light')
    name = page.locator('#clip-name')
    assert name.inner_text() == 'clip40'
    page.keyboard.press('ArrowRight')
    assert name.inner_text() == 'clip41'
    page.keyboard.press('ArrowLeft')
    page.keyboard.press('1')
    assert name.inner_text() == f'clip{page.evaluate("neighborsOf(40)[0]")}'
    page.keyboard.press('b')
    assert name.inner_text() == 'clip40'
    page.keyboard.press('m')
    assert page.locator('#clip-what .no').count() == 1

    page.keyboard.press('/')
    page.keyboard.type('clip5')
    assert page.locator('#found li').count() == 11  # 5 and 50 … 59
    page.keyboard.press('ArrowDown')
    page.keyboard.press('Enter')
    assert name.inner_text() == 'clip51'

    light = page.evaluate('getComputedStyle(document.body).backgroundColor')
    page.keyboard.press('t')
    dark = page.evaluate('getComputedStyle(document.body).backgroundColor')
    assert sum(map(int, re.findall(r'\d+', light))) > 600 > 200 > sum(
        map(int, re.findall(r'\d+', dark)))  # fmt: skip

    # a class that looks like a script is shown as it is called
    assert page.title() == 'Results of <b>a config</b>'
    assert page.locator('h1').inner_text() == 'Results of <b>a config</b>'
    assert EVIL in page.locator('#chips').inner_text()
    assert EVIL in page.locator('#per-class').text_content()
    marks = page.locator('#map-plot .annotation-text').all_text_contents()
    assert sorted(marks) == sorted(['wave', f'{EVIL[:20]}…', '</script><b>kick', 'walk & run'])


@pytest.mark.slow
def test_confusion_lists_its_clips(open_page, page_of):
    page = open_page(page_of(40, 60, CLASSES))
    truth = page.evaluate('tests.map((clip) => [labels[clip], predicted(clip)])')
    wrong = [(a, b) for a, b in truth if a != b]
    assert wrong
    a, b = max(set(wrong), key=wrong.count)
    page.evaluate("$('confusion').scrollIntoView({ behavior: 'instant' })")
    page.wait_for_selector('#confusion .nsewdrag')
    x, y = page.evaluate(
        """([a, b]) => {
            const { xaxis, yaxis } = $('confusion')._fullLayout;
            const box = $('confusion').getBoundingClientRect();
            return [box.x + xaxis._offset + xaxis.c2p(b), box.y + yaxis._offset + yaxis.c2p(a)];
        }""",
        [a, b],
    )
    page.mouse.move(x - 2, y - 2)
    page.mouse.move(x, y)
    page.wait_for_selector('#confusion .hoverlayer text')
    page.mouse.click(x, y)
    page.wait_for_selector('#list-all:not([hidden])')
    wanted = [f'clip{40 + n}' for n, pair in enumerate(truth) if pair == [a, b]]
    assert page.locator('#list span').all_inner_texts() == wanted
    assert page.locator('#clip-name').inner_text() == wanted[0]
    page.locator('#list button').last.click()
    assert page.locator('#clip-name').inner_text() == wanted[-1]

    shown = page.locator('#per-class tbody tr').evaluate_all(
        'rows => rows.map((row) => parseFloat(row.cells[2].textContent))')  # fmt: skip
    of = [[x == y for x, y in truth if x == label] for label in range(4)]
    assert shown == sorted(round(100 * sum(own) / len(own), 1) for own in of)
    page.locator('#per-class th button').nth(2).click()
    assert page.locator('#per-class th').nth(2).get_attribute('aria-sort') == 'descending'


@pytest.mark.slow
def test_twenty_thousand_clips(open_page, page_of):
    """All are on the map; those without joints say so."""
    page = open_page(page_of(12000, 8000, [f'class {n}' for n in range(60)], movies=300))
    points = page.evaluate("$('map-plot').data.reduce((n, trace) => n + trace.x.length, 0)")
    assert points == 20000
    assert page.locator('#list li').count() == 301
    assert not page.locator('#clip-absent').is_visible()
    page.keyboard.press('ArrowLeft')  # the last one
    assert page.locator('#clip-name').inner_text() == 'clip19999'
    assert page.locator('#clip-absent').is_visible()
    page.keyboard.press('c')
    page.wait_for_function("$('map-plot').data[1].marker.color.length === 8000")
    assert 'The map shows all 20,000 clips' in page.locator('#notes').text_content()


@pytest.mark.slow
def test_without_classes_and_on_a_phone(open_page, page_of):
    page = open_page(page_of(30, 10, []), viewport=dict(width=390, height=800))
    for section in ('classes', 'few-shot', 'masked', 'results'):
        assert not page.locator(f'#{section}').is_visible()
    assert page.locator('#color-by button').count() == 1
    width = page.evaluate('document.documentElement.scrollWidth')
    assert width <= 390
    page.locator('#fold').click()
    page.locator('#next').click()
    assert page.locator('#clip-name').inner_text() == 'clip31'
