"""Reports: plans and the state as data first, then as text, CSV or one HTML file. Nothing here touches a side."""
