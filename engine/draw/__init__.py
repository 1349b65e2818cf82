"""A plan as a picture: laid out once, written as SVG or as Mermaid's text; pure."""
