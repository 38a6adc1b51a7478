"""Components of our own: their scripts are served by the desk, each run carries only a loader of a few lines."""

from lib.shared.assets import asset


def loader(name: str) -> str:
    """The inline script that imports a component's module from its cached address."""
    return (
        "export default async function (component) {\n"
        f'  const module = await import(location.origin + "{asset(name).address}");\n'
        "  return module.default(component);\n}\n"
    )
