use super::*;

fn read<T: Value + Default>(text: &str) -> Result<T, String> {
    let parsed = DeValue::parse(text).map_err(|e| e.to_string())?;
    let mut value = T::default();
    value.read(parsed.get_ref()).map(|()| value)
}

#[test]
fn durations_and_sizes_are_read_with_their_units_and_printed_back() {
    for (text, millis, printed) in [
        ("\"30s\"", 30_000, "30s"),
        ("\"500ms\"", 500, "500ms"),
        ("\"1h\"", 3_600_000, "3600s"),
        ("\"0s\"", 0, "0ms"),
    ] {
        let span: Duration = read(text).unwrap();
        assert_eq!((span.as_millis(), write_span(span).as_str()), (millis, printed));
    }
    for (text, bytes, printed) in
        [("\"64MiB\"", 64 << 20, "\"64MiB\""), ("1500", 1500, "1500"), ("\"32mb\"", 32 << 20, "\"32MiB\"")]
    {
        let size: Bytes = read(text).unwrap();
        assert_eq!((size.0, size.write().as_str()), (bytes, printed));
    }
    assert!(read::<Duration>("30").unwrap_err().contains("30s"));
    assert!(read::<Bytes>("\"99999999999GiB\"").is_err(), "does not fit 64 bits");
    for text in ["\"367d\"", "\"99999999999s\"", "\"200000000000d\""] {
        assert!(read::<Duration>(text).unwrap_err().contains("366 days"), "{text}");
    }
    assert!(read::<Duration>("\"366d\"").is_ok());
}

#[test]
fn a_number_out_of_range_says_the_range() {
    let mut n = 4u16;
    let fault = Within(&mut n, 1..=64).read(DeValue::parse("65").unwrap().get_ref());
    assert_eq!(fault.unwrap_err(), "expected a number from 1 to 64, found the number 65");
    assert_eq!(n, 4);
}
