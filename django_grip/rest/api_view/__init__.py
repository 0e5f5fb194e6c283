"""`WebSocketAPIView`: a WebSocket of its own with the policies of an APIView."""
