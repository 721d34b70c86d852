"""The lists of the pages: what their address says, how they are shown, and the choices that narrow them down."""
