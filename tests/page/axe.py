"""A page by the rules of axe: https://dequeuniversity.com/rules/axe/"""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# Swagger UI's own page breaks rules of contrast and nesting that are not ours to mend.
FOREIGN = "#swagger-ui"


def violations(page: Page) -> list[str]:
    """Return what axe calls serious or critical."""
    found = Axe().run(page, context={"exclude": [[FOREIGN]]}).response["violations"]
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:100] for node in one['nodes']]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
