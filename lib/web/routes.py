"""Every address of the desk that is not Streamlit's."""

from starlette.routing import BaseRoute

from lib.web import assets, components, entrance, files, health, live, survey

routes: list[BaseRoute] = [
    *health.routes,
    *entrance.routes,
    *live.routes,
    *components.routes,
    *assets.routes,
    *files.routes,
    *survey.routes,
]
