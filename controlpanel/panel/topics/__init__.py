"""What a channel of the page's WebSocket can carry; one module per topic."""
