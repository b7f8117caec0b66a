"""JSON routes: parse, authorise, call one service, render. The only room with FastAPI."""
